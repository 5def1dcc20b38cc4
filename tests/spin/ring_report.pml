/* ring.pml with a reader that publishes a record of its own (Bus::SendReports), in a lane of
 * its own. It must not wait for room, which only it could make.
 */
#define REPORT
#define PUBLISHES 1
#include "ring.pml"
