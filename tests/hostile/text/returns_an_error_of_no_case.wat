;; Row 11: returns an error of a kind that the contract does not have.

(func $process (param i32 i32 i32 i32 i32) (result i32)
  (i32.store8 (i32.const 8192) (i32.const 1))
  (i32.store8 (i32.const 8196) (i32.const 99))
  (i32.const 8192))
