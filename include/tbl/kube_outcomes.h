/*
 * How a call to the Kubernetes API ended.  applied: whether a write took effect.
 *
 * OUTCOME(name, applied, meaning)
 */
OUTCOME(OK, YES, "done")
OUTCOME(CONFLICT, NO, "somebody else changed the object first")
OUTCOME(EXISTS, NO, "an object of that name is there already")
OUTCOME(NOT_FOUND, NO, "no such object")
OUTCOME(UNAUTHORIZED, NO, "the token is not accepted")
OUTCOME(FORBIDDEN, NO, "the service account may not do this")
OUTCOME(GONE, NO, "the version asked for is too old")
OUTCOME(REFUSED, NO, "the API does not take the request")
OUTCOME(THROTTLED, NO, "too many requests")
OUTCOME(SERVER_ERROR, MAYBE, "the API failed")
OUTCOME(MAYBE, MAYBE, "no answer, though the request may have arrived")
OUTCOME(NOT_SENT, NO, "the API was not reached")
