/* ring.pml with a producer that may stop for ever between claim and stamp: the others
 * finish all the same, shedding when the ring is full, and what is whole before the hole
 * is read. There are slots enough for every blind claim the two others can make.
 * M_TOO_FEW_SLOTS: there are not, and one of them waits for the hole.
 */
#define FROZEN
#define SHORT_ONLY
#define PRODUCERS 3
#define PUBLISHES (_pid == 1 -> 2 : 1)
#define CAP 2
#define FAST 1
#ifdef M_TOO_FEW_SLOTS
#define PHYS 2
#else
#define PHYS 4
#endif
#include "ring.pml"
