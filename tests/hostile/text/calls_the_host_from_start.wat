;; Row 4: logs before it has been started.

(func $start
  (call $log (i32.const 2) (i32.const 0) (i32.const 4)))
(start $start)
