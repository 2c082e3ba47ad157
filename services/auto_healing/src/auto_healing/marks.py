"""Labels and annotations of this product on Kubernetes objects."""

PREFIX = "k8s-health-checker"

HEAL = f"{PREFIX}/heal"  # label or annotation of an object or its namespace; "off" opts out, "on" opts in
OWNED_BY_RUN = f"{PREFIX}/run"  # annotation: id and step of the run that made a change
CORDONED_BY = f"{PREFIX}/cordoned-by"  # annotation of a node that this product cordoned: the run's id and step
CORDON_REASON = f"{PREFIX}/cordon-reason"
CORDON_UNTIL = f"{PREFIX}/cordon-until"  # RFC 3339
CORDONED_FOR = f"{PREFIX}/cordoned-for"  # conditions that were bad when it was cordoned, such as "Ready,DiskPressure"
FENCED = f"{PREFIX}/fenced"  # annotation of a node, by an operator who made sure that it runs nothing: who and why
RESTARTED_AT = f"{PREFIX}/restarted-at"  # annotation of a pod template
ROLLED_BACK_FROM = f"{PREFIX}/rolled-back-from"  # annotation of a workload: ReplicaSet or ControllerRevision it left
UNUSED_SINCE = f"{PREFIX}/unused-since"  # annotation of what cleanup has marked
DRAIN_ORDER = f"{PREFIX}/drain-order"  # label of a pod: a number; lower ones leave a node first, default 0
DRAIN_WAIT = f"{PREFIX}/drain"  # label of a pod: "wait" to let it end by itself, "skip" to leave it
AVOID_TAINT = f"{PREFIX}/avoid"  # taint PreferNoSchedule: a node that a workload is kept away from for a while
RESTORED_FROM = f"{PREFIX}/restored-from"  # annotation of a restored object: the id of its manifest
SNAPSHOT = f"{PREFIX}/snapshot"  # annotation of a removed claim: the VolumeSnapshot that was made of its volume
