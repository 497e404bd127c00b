import Foundation

/// What must be known of a bundle to push it once more; kept with its dead letter, as JSON.
struct PoisonContext: Sendable, Hashable, Codable {
    /// `nil` for a record that was no bundle: it cannot be pushed again.
    var encoding: BundleHead.Encoding?
    var work: WorkID?
    /// Where the whole of a large bundle lies, beside the dead letters: its letter has only the beginning.
    var file: String?
    /// Of the whole, where it lies in a file.
    var bytes: Int64?

    init(encoding: BundleHead.Encoding?, work: WorkID?, file: String? = nil, bytes: Int64? = nil) {
        self.bytes = bytes
        self.encoding = encoding
        self.work = work
        self.file = file
    }

    init(text: String) {
        self = (try? JSONDecoder().decode(Self.self, from: Data(text.utf8))) ?? Self(encoding: nil, work: nil)
        // It comes from a file on disk: the name must not lead out of the directory.
        if let file, !WorkRecord.isFileName(file) { self = Self(encoding: nil, work: work) }
    }

    var text: String { (try? JSONEncoder().encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "" }
}
