;; Row 7: has a memory of a gibibyte before it has done anything.

(memory $more 16384)
