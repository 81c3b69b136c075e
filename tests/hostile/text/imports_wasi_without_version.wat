;; Row 13: asks for an interface of WASI of no version.

(component
  (import "wasi:cli/environment" (instance))
  (instance $transformer)
  (export "weir:plugin/transformer@0.1.0" (instance $transformer)))
