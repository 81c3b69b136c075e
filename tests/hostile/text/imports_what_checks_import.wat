;; Row 13: a transform that asks for what only checks may do.

(component
  (import "weir:plugin/judging@0.1.0" (instance))
  (instance $transformer)
  (export "weir:plugin/transformer@0.1.0" (instance $transformer)))
