-- Kubernetes replica sets with the resources of their pods.
view_info = require "kubernetes_view" {
  id = "kubernetes_replicasets",
  name = "K8s ReplicaSets",
  description = "Kubernetes replica sets with the resources of their pods.",
  applies_to = {
    "", "evt.res", "k8s.pod.id", "k8s.svc.id", "k8s.ns.id",
  },
  class = "k8s.rs",
  kind = "rs",
}
