-- Kubernetes deployments with the resources of their pods.
view_info = require "kubernetes_view" {
  id = "kubernetes_deployments",
  name = "K8s Deployments",
  description = "Kubernetes deployments with the resources of their pods.",
  applies_to = {
    "", "evt.res", "k8s.pod.id", "k8s.svc.id", "k8s.ns.id",
  },
  class = "k8s.deployment",
  kind = "deployment",
}
