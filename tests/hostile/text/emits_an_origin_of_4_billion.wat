;; Row 9: an origin of as many rows as 32 bits can count.

(func $process (param i32 i32 i32 i32 i32) (result i32)
  (call $emit (i32.const 0)
    (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)
    (i32.const 1) (i32.const 0) (i32.const 0xffffffff))
  (i32.const 4096))
