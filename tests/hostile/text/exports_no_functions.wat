;; Row 13: a transform without any function.

(component
  (instance $transformer)
  (export "weir:plugin/transformer@0.1.0" (instance $transformer)))
