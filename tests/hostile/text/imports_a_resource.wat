;; Row 13: asks for a resource type.

(component
  (import "handle" (type (sub resource)))
  (instance $transformer)
  (export "weir:plugin/transformer@0.1.0" (instance $transformer)))
