;; Row 13: asks for a component.

(component
  (import "helper" (component))
  (instance $transformer)
  (export "weir:plugin/transformer@0.1.0" (instance $transformer)))
