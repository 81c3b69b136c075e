;; Row 8: asks for random bytes, and for more of them whenever the host asks where to put them.

(func $cabi_realloc (param i32 i32 i32 i32) (result i32)
  (call $random-bytes (i64.const 64) (i32.const 8192))
  (call $allocate (local.get 3)))
