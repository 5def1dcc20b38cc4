/* ring.pml with a producer that may stop for ever between ticket and stamp: the others finish
 * all the same, and all that they publish is read.
 */
#define FROZEN
#include "ring.pml"
