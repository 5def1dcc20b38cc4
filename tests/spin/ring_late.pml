/* ring.pml with a reader that, after the close, gives up a producer that takes too long
 * between claim and stamp (Ring::SkipHole). The producer writes all the same, later: nobody
 * may read that, nor write there.
 */
#define LATE
#define SHORT_ONLY
#define PUBLISHES (_pid == 0 -> 1 : 2)
#include "ring.pml"
