/*
 * One row per kind of failure: what a caller may decide on, and how each surface shows it.
 *
 * KIND(name, retry, http, exit, meaning)
 */
KIND(SYS, false, 500, 70, "the operating system refused")
KIND(INVALID, false, 400, 64, "the request is wrong")
KIND(CONFIG, false, 422, 78, "the configuration or the data directory does not allow it")
KIND(NOTFOUND, false, 404, 66, "the named thing does not exist")
KIND(STATE, false, 409, 75, "not allowed in the present state")
KIND(UNMET, false, 412, 75, "a condition of the order does not hold")
KIND(CONFLICT, false, 409, 65, "something else stands under that name")
KIND(BUSY, true, 503, 75, "a bounded queue is full")
KIND(SPACE, true, 507, 75, "the volume has no space left")
KIND(TIMEOUT, true, 504, 75, "the deadline passed")
KIND(REMOTE, true, 502, 69, "the other side failed")
KIND(DENIED, false, 403, 77, "credentials were refused")
KIND(CORRUPT, false, 500, 65, "data failed a check")
KIND(FAILED, false, 500, 1, "postgres or a job failed")
KIND(NOTIMPL, false, 501, 69, "this version does not do it yet")
