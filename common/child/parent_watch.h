// For the main function of a child: ends the process once its parent closes its stdin,
// which the kernel does for a parent that is killed. Call it first of all, once.
//
// A thread of its own waits for it, so that it also happens in the middle of a long
// computation, and whether or not somebody reads stdin; lines that were written before
// stay readable until then. The process ends with status 0 by _exit: no destructors.
#ifndef SQUISH_COMMON_CHILD_PARENT_WATCH_H_
#define SQUISH_COMMON_CHILD_PARENT_WATCH_H_

namespace squish {

void EndWithParent();

// The same for a child that has children which do not watch: ends its whole process group, if
// it leads one, as every Child does.
void EndGroupWithParent();

}  // namespace squish

#endif  // SQUISH_COMMON_CHILD_PARENT_WATCH_H_
