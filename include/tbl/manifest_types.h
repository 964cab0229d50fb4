/*
 * Types of manifest fields.
 *
 * TYPE(name, expected)   expected completes "expected ..." in a message
 */
TYPE(STR, "text")
TYPE(INT, "a whole number")
TYPE(SECS, "a whole number of seconds")
TYPE(BOOL, "true or false")
TYPE(QTY, "a quantity like 16Mi, 1.5Gi or 500m")
TYPE(DUR, "a duration like 30s or 1h30m")
TYPE(TIME, "a time like 2026-11-20T08:15:30Z")
TYPE(INTSTR, "a number or text")
TYPE(STRS, "a list of texts")
TYPE(MAP, "a map of texts")
TYPE(OBJ, "a map of fields")
TYPE(OBJS, "a list of maps of fields")
TYPE(REF, "a map with name and key")
TYPE(REFS, "a list of maps with name and key")
TYPE(LOCAL, "a map with name")
TYPE(LOCALS, "a list of maps with name")
TYPE(ANY, "anything Kubernetes takes here")
