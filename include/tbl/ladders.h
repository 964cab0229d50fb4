/*
 * Why postgres is stopped; core/ladder.c says by which rungs.
 *
 * LADDER(name, text, meaning)
 */
LADDER(STOP, "stop", "podgres was asked to end: smart if asked for, fast, immediate, the tree")
LADDER(RESTART, "restart", "postgres is to be started again: as stop")
LADDER(QUIT, "quit", "SIGQUIT: immediate, then the tree")
LADDER(FENCE, "fence", "fast, immediate after switchoverDelay, then the tree")
LADDER(FENCE_NOW, "fence --mode immediate", "immediate, then the tree")
LADDER(LEASE, "lease lost", "fast, then the tree (V1, V2)")
LADDER(NOW, "at once", "the tree: the supervisor stood still or the data is gone")
