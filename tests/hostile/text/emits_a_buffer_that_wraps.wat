;; Row 2: a batch whose first buffer ends past what 32 bits can address.

(func $process (param i32 i32 i32 i32 i32) (result i32)
  (i32.store (local.get 3) (i32.const 0x10))
  (i32.store offset=4 (local.get 3) (i32.const 0xffffffff))
  (call $emit (i32.const 0)
    (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)
    (i32.const 0) (i32.const 0) (i32.const 0))
  (i32.const 4096))
