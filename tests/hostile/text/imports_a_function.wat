;; Row 13: asks for a bare function.

(component
  (import "launch" (func))
  (instance $transformer)
  (export "weir:plugin/transformer@0.1.0" (instance $transformer)))
