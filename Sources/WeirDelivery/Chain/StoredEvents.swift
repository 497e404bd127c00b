package import WeirFlow
package import WeirStore

/// What lies in a queue, for those who look into it from outside (`weir queue`).
package enum StoredEvents {
    /// The events of a record; `nil` when it is not one that a chain wrote.
    package static func batch(_ record: StoredRecord) -> Batch? { BatchRecord.decode(record) }
}
