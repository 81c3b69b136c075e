;; Row 13: a component that is no plugin.

(component)
