;; Row 3: a column of a type that the contract does not have.

;; One output, `out`, of one column, `b`, of bytes.
(func $bind (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
  (i32.store (i32.const 2052) (i32.const 2064))
  (i32.store (i32.const 2056) (i32.const 1))
  (i32.store (i32.const 2064) (i32.const 2080))
  (i32.store (i32.const 2068) (i32.const 3))
  (i32.store (i32.const 2072) (i32.const 2100))
  (i32.store (i32.const 2076) (i32.const 1))
  (i32.store (i32.const 2080) (i32.const 0x74756f))
  (i32.store (i32.const 2100) (i32.const 2084))
  (i32.store (i32.const 2104) (i32.const 1))
  (i32.store8 (i32.const 2084) (i32.const 0x62))
  (i32.store8 (i32.const 2108) (i32.const 99))
  (i32.const 2048))
