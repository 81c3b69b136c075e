;; Row 7: has a memory of 64 MiB before it has done anything.

(memory $more 1024)
