;; Row 11: divides by zero.

(func $process (param i32 i32 i32 i32 i32) (result i32)
  (drop (i32.div_s (i32.const 1) (i32.const 0)))
  (i32.const 4096))
