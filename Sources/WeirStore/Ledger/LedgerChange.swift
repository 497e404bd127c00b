package import WeirWorld

/// One thing that the control plane keeps: a registration, a work, a state. Its body is a text of its owner's (JSON).
package struct LedgerDocument: Sendable, Hashable {
    /// Which kind of thing, a fixed word: `connectors`, `works`.
    package var collection: String
    package var id: String
    /// What it belongs to; documents of one owner are listed and removed together. Empty for none.
    package var owner: String
    /// Orders the documents of an owner.
    package var time: WallTime
    package var body: [UInt8]

    package init(collection: String, id: String, owner: String = "", time: WallTime, body: [UInt8]) {
        self.collection = collection
        self.id = id
        self.owner = owner
        self.time = time
        self.body = body
    }
}

/// Who did what to which part, when and why. Kept for ever, up to 100,000 entries; then the oldest go.
package struct AuditEntry: Sendable, Hashable {
    /// Rises; 0 before it was written.
    package var id: Int64 = 0
    package var time: WallTime
    package var who: String
    /// A fixed word: `reset_state`, `pause`, `run_now`.
    package var action: String
    /// The connector, gate, … it was done to.
    package var subject: String
    package var why: String

    package init(time: WallTime, who: String, action: String, subject: String, why: String = "") {
        self.time = time
        self.who = who
        self.action = action
        self.subject = subject
        self.why = why
    }
}

/// What is written to the ledger; changes of one commit are written together or not at all.
package enum LedgerChange: Sendable {
    /// Makes or replaces a document. It is coded on the ledger's own thread, so that the caller only copies a value.
    case put(@Sendable () throws -> LedgerDocument)
    case remove(collection: String, id: String)
    case removeAll(collection: String, owner: String)
    /// Removes all documents of an owner but the newest.
    case keepNewest(Int, collection: String, owner: String)
    case audit(AuditEntry)
}
