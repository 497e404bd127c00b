/// Where a source keeps how far it has read, across restarts. The node gives it; small values, seldom written.
package protocol CheckpointStore: Sendable {
    /// What was saved last under the key; `nil` when nothing was, or when it cannot be read.
    func load(_ key: String) async -> [UInt8]?
    /// Keeps the bytes durably; they replace what was there.
    func save(_ key: String, _ bytes: [UInt8]) async throws
}
