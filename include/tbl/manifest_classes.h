/*
 * What podgres makes of a manifest field.
 *
 * CLASS(name, text, meaning)
 */
CLASS(IMPL, "implemented", "podgres acts on it")
CLASS(KUBE, "kubernetes", "for Kubernetes objects only, nothing inside the pod depends on it")
CLASS(LATER, "later", "known, but this version does not act on it yet")
CLASS(NA, "not applicable", "has no meaning for podgres")
