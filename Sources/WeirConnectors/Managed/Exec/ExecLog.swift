import CWeirSystem
import Glibc
import Logging
import NIOCore
import WeirCalls
import WeirGates

/// What a program says on standard error: line by line into the log, of a very long line the beginning, and no more
/// lines of a run than somebody may want to read. Secrets that it was given are not shown.
struct ExecLog {
    static let linesMost = 1_000
    private static let lineMost = 4 << 10
    private static let tailMost = 5

    private let id: ConnectorID
    private let secrets: [String]
    private let log: Logger
    private var line = ByteBuffer()
    private var count = 0

    /// The last lines, for the sentence of a failure.
    private(set) var tail: [String] = []

    init(id: ConnectorID, secrets: [String], log: Logger) {
        self.id = id
        self.secrets = secrets
        self.log = log
    }

    mutating func take(_ piece: ByteBuffer) {
        piece.withUnsafeReadableBytes { bytes in
            var start = count < Self.linesMost ? 0 : passOver(bytes)
            while let end = bytes[start...].firstIndex(of: 0x0A) {
                keep(bytes[start..<end])
                note()
                start = end + 1
            }
            keep(bytes[start...])
        }
    }

    /// Of a flood only the last lines are looked at; the others are counted.
    /// - Returns: where to go on.
    private mutating func passOver(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let base = bytes.baseAddress else { return 0 }
        var start = bytes.count
        for _ in 0...Self.tailMost {
            guard let end = memrchr(base, 0x0A, start) else { return 0 }
            start = UnsafeRawPointer(end) - base
        }
        line.clear()
        var place = 0
        while place <= start, let end = memchr(base + place, 0x0A, start + 1 - place) {
            count += 1
            place = UnsafeRawPointer(end) - base + 1
        }
        return start + 1
    }

    /// Nothing more comes.
    mutating func finish() {
        note()
        guard count > Self.linesMost else { return }
        log.warning(
            "A connector's program said more than is logged.",
            metadata: ["connector": "\(id)", "lines": "\(count)", "dropped.lines": "\(count - Self.linesMost)"])
    }

    private mutating func keep(_ part: Slice<UnsafeRawBufferPointer>) {
        line.writeBytes(part.prefix(Self.lineMost - line.readableBytes))
    }

    private mutating func note() {
        let text = AnswerText.clean(line, secrets: secrets, most: Self.lineMost)
        line.clear()
        if text.isEmpty { return }
        count += 1
        if count <= Self.linesMost {
            log.info("A connector's program says something.", metadata: ["connector": "\(id)", "text": "\(text)"])
        }
        tail.append(text.clipped(to: 200))
        if tail.count > Self.tailMost { tail.removeFirst() }
    }
}
