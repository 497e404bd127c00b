package import NIOCore
import WeirDelivery
package import WeirFlow
package import WeirStore
package import WeirWorld

/// The queues and dead letters of a data directory, looked at from outside: works while a node runs and while none
/// does.
///
/// Blocking; what only reads needs no lock and sees what was there at some moment.
package struct QueueShelf: Sendable {
    /// The two logs that a destination may have.
    package enum Part: String, Sendable, CaseIterable {
        case queue
        case deadLetters = "dead-letters"
    }

    package struct Entry: Sendable {
        package var name: String
        package var part: Part
        package var directory: String
        package var survey: QueueInspection.Survey
    }

    /// One event, for people.
    package struct Event: Sendable {
        package var offset: QueueOffset
        package var time: WallTime
        package var source: String
        package var kind: EventKind
        package var content: ByteBuffer
        /// Why it is a dead letter, when it is one.
        package var letter: DeadLetter?
    }

    private let folder: String
    private let files: any FileSystem

    /// - Parameter data: the node's `data` directory.
    package init(data: String, files: any FileSystem) {
        folder = data + "/destinations"
        self.files = files
    }

    /// Names of destinations that have something on disk, sorted.
    package func names() throws(FileFailure) -> [String] {
        guard try files.status(folder) != nil else { return [] }
        return try files.list(folder)
    }

    /// Every log that is there.
    /// - Parameter readsAll: reads and checks every byte (`weir queue verify`) instead of headers only.
    package func entries(_ only: String? = nil, readsAll: Bool = false) throws -> [Entry] {
        var entries: [Entry] = []
        for name in try names() where only == nil || only == name {
            for part in Part.allCases {
                let directory = directory(name, part)
                guard try files.status(directory) != nil else { continue }
                let inspection = QueueInspection(directory: directory, files: files)
                entries.append(
                    Entry(
                        name: name, part: part, directory: directory,
                        survey: readsAll ? try inspection.verify() : try inspection.survey()))
            }
        }
        return entries
    }

    func directory(_ name: String) -> String { "\(folder)/\(name)" }

    package func directory(_ name: String, _ part: Part) -> String { "\(directory(name))/\(part.rawValue)" }

    /// Hands over events from the oldest on that is not delivered; `body` says whether to go on.
    package func events(_ name: String, _ part: Part, _ body: (Event) throws -> Bool) throws {
        let directory = directory(name, part)
        let removed = part == .deadLetters ? DeadLetters.removed(in: directory, files: files) : []
        try QueueInspection(directory: directory, files: files).walk { record in
            if part == .deadLetters {
                guard !removed.contains(record.offsets.lowerBound.position) else { return true }
                let letter = DeadLetter(record)
                return try body(
                    Event(
                        offset: record.offsets.lowerBound, time: record.time, source: letter?.source ?? "",
                        kind: EventKind(rawValue: record.kind) ?? .raw, content: record.payload, letter: letter))
            }
            guard let batch = StoredEvents.batch(record) else { return true }
            for index in 0..<batch.count {
                let event = Event(
                    offset: record.offsets.lowerBound, time: record.time, source: batch.context.source,
                    kind: batch.kind, content: batch.event(at: index))
                if try !body(event) { return false }
            }
            return true
        }
    }

    /// Makes a log sound again; what was damaged is kept aside in `quarantine/`.
    /// - Throws: `StoreFailure.locked` while a node runs on it.
    package func repair(_ name: String, _ part: Part) throws(StoreFailure) -> RecoveryReport {
        try QueueInspection(directory: directory(name, part), files: files).repair()
    }

    /// Deletes a log with all that is in it.
    package func discard(_ name: String, _ part: Part) throws {
        let directory = directory(name, part)
        // Taking the lock first: a log that a node writes to must not go away under it.
        _ = try QueueInspection(directory: directory, files: files).repair()
        try QueueShelf.remove(directory, files: files)
    }

    /// Removes a directory with all that is in it.
    static func remove(_ directory: String, files: any FileSystem) throws {
        for name in try files.list(directory) {
            let path = directory + "/" + name
            if try files.status(path)?.kind == .directory {
                try remove(path, files: files)
            } else {
                try files.remove(path)
            }
        }
        try files.removeDirectory(directory)
    }
}
