;; Row 9: asks for one wait after the other and gives no handle back.

(func $process (param i32 i32 i32 i32 i32) (result i32)
  (loop
    (drop (call $subscribe (i64.const 1)))
    (br 0))
  unreachable)
