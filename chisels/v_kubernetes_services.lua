-- Kubernetes services with the resources of their pods.
view_info = require "kubernetes_view" {
  id = "kubernetes_services",
  name = "K8s Services",
  description = "Kubernetes services with the resources of their pods.",
  applies_to = {
    "", "evt.res", "k8s.pod.id", "k8s.rc.id", "k8s.rs.id", "k8s.ns.id",
  },
  class = "k8s.svc",
  kind = "services",
  described = "services/",
}
