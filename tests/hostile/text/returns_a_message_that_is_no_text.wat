;; Row 11: returns an error whose message is not UTF-8.

(func $process (param i32 i32 i32 i32 i32) (result i32)
  (i32.store8 (i32.const 8192) (i32.const 1))
  (i32.store (i32.const 8200) (i32.const 8208))
  (i32.store (i32.const 8204) (i32.const 1))
  (i32.store8 (i32.const 8208) (i32.const 0xff))
  (i32.const 8192))
