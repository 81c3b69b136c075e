;; Row 13: gives a core module where a function should be.

(component
  (core module $m)
  (instance $transformer
    (export "describe" (core module $m)) (export "bind" (core module $m))
    (export "process" (core module $m)) (export "finish" (core module $m)))
  (export "weir:plugin/transformer@0.1.0" (instance $transformer)))
