-- Kubernetes namespaces with the resources of their pods.
view_info = require "kubernetes_view" {
  id = "kubernetes_namespaces",
  name = "K8s Namespaces",
  description = "Kubernetes namespaces with the resources of their pods.",
  applies_to = {
    "", "evt.res", "k8s.pod.id", "k8s.rc.id", "k8s.rs.id", "k8s.svc.id",
  },
  class = "k8s.ns",
  kind = "namespaces",
}
