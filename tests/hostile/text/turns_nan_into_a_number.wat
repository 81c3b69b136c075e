;; Row 11: turns what is not a number into an integer.

(func $process (param i32 i32 i32 i32 i32) (result i32)
  (drop (i32.trunc_f64_s (f64.const nan)))
  (i32.const 4096))
