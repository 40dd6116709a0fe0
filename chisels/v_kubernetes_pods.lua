-- Kubernetes pods with the resources of their containers.
view_info = require "kubernetes_view" {
  id = "kubernetes_pods",
  name = "K8s Pods",
  description = "Kubernetes pods with the resources of their containers.",
  tips = { "Enter on a pod shows its containers." },
  applies_to = {
    "", "evt.res", "k8s.rc.id", "k8s.rs.id", "k8s.svc.id", "k8s.ns.id",
  },
  class = "k8s.pod",
  kind = "pods",
  drilldown_target = "containers",
  actions = {
    { hotkey = "b", command = "kubectl --namespace=%k8s.ns.name exec %k8s.pod.name -i -t -- /bin/bash",
      description = "Open a shell in it" },
    { hotkey = "l", command = "kubectl --namespace=%k8s.ns.name logs %k8s.pod.name",
      description = "Print its log" },
    { hotkey = "f", command = "kubectl --namespace=%k8s.ns.name logs -f %k8s.pod.name",
      description = "Follow its log" },
    { hotkey = "o", command = "kubectl --namespace=%k8s.ns.name logs -p %k8s.pod.name",
      description = "Log of its former instance" },
  },
}
