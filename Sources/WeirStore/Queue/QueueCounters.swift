/// What happened in a queue since it was opened. Recovered + appended = acknowledged + dropped + damaged + the level.
package struct QueueCounters: Sendable, Hashable {
    package var recoveredEvents: UInt64 = 0
    package var appendedEvents: UInt64 = 0
    package var appendedRecords: UInt64 = 0
    package var acknowledgedEvents: UInt64 = 0
    package var droppedEvents: UInt64 = 0
    package var damagedEvents: UInt64 = 0
    /// Damaged ranges that the reader met.
    package var damagedRanges: UInt64 = 0
    package var syncFailures: UInt64 = 0
    /// Acknowledged without a sync (`interval`), whose sync failed and which could not be written again: a power cut
    /// may take them.
    package var doubtfulEvents: UInt64 = 0
}
