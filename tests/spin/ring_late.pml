/* ring.pml with a reader that, after the close, gives up a producer that takes too long
 * between ticket and stamp (Ring::SkipHoles). The producer writes all the same, later: nobody
 * reads that.
 */
#define LATE
#define SHORT_ONLY
#include "ring.pml"
