internal import Logging
internal import WeirWorld

/// The number that steers a scheduled connector: it runs while this is below its threshold.
extension OpenCTISchema {
    /// Bytes that are above every threshold: 1 PB. The reported threshold alone is not enough, because the first pings
    /// of pycti carry its default instead of the configured one.
    static let unknownBytes: Int64 = 1_000_000_000_000_000

    func queueLevel(of record: ConnectorRecord) async -> WorkQueueLevel {
        await broker?.measure(record.id)
        if let level = await platform.queueLevel(record.id) { return level }
        world.log.warning(
            "a connector is told that its queue is full, because its size cannot be known",
            metadata: ["connector": "\(record.id)", "queue.bytes": "unknown"])
        let threshold = (record.report?.queueThreshold ?? 0) * 1_000_000
        let bytes = threshold < 9e18 ? max(Self.unknownBytes, Int64(max(threshold, 0).rounded(.up))) : Int64.max
        return WorkQueueLevel(messages: 0, bytes: bytes)
    }
}
