import CWeirSystem
package import NIOCore

extension Batch {
    /// Cuts bytes that end with a line feed into events, one a line, without copying.
    /// - Precondition: `lines` is empty or its last byte is a line feed.
    package static func lines(_ lines: ByteBuffer, context: BatchContext) -> Batch {
        let ends = lines.withUnsafeReadableBytes { bytes -> ContiguousArray<UInt32> in
            // Sized by a guess of 64 bytes a line; the scanner says when the room is used up, and the rest follows.
            var ends = ContiguousArray<UInt32>()
            var offset = 0
            var room = bytes.count / 64 + 16
            while offset < bytes.count {
                let base = offset
                let part = ContiguousArray<UInt32>(unsafeUninitializedCapacity: room) { buffer, count in
                    guard let address = bytes.baseAddress, let target = buffer.baseAddress else { return }
                    count = weir_line_ends(address, base, bytes.count, target, room)
                }
                guard let last = part.last else { break }
                offset = Int(last)
                if ends.isEmpty { ends = part } else { ends.append(contentsOf: part) }
                room *= 2
            }
            return ends
        }
        return Batch(slab: lines, ends: ends, framing: .newline, context: context)
    }

    /// A batch of the given contents, copied. For doors that take apart an envelope, and for tests.
    package static func events(_ contents: some Sequence<ByteBuffer>, context: BatchContext) -> Batch {
        var builder = BatchBuilder(context: context)
        for content in contents { builder.append(content) }
        return builder.finish()
    }

    /// A batch of the given texts, copied. For tests and examples.
    package static func texts(_ texts: [String], context: BatchContext) -> Batch {
        events(texts.map { ByteBuffer(string: $0) }, context: context)
    }
}

/// Gathers events one by one, where they do not come as lines: octet counting, datagrams, envelopes.
///
/// The batch is newline-framed as long as no event contains a line feed, and bare as soon as one does.
package struct BatchBuilder: Sendable {
    private var slab = ByteBuffer()
    private var ends = ContiguousArray<UInt32>()
    private var hasLineFeeds = false
    package var context: BatchContext

    package init(context: BatchContext) { self.context = context }

    package var count: Int { ends.count }
    package var byteCount: Int { slab.readableBytes }

    package mutating func append(_ content: ByteBuffer) {
        content.withUnsafeReadableBytes { append($0) }
    }

    package mutating func append(_ content: UnsafeRawBufferPointer) {
        if !hasLineFeeds, content.contains(0x0A) { hasLineFeeds = true }
        slab.writeBytes(content)
        slab.writeInteger(0x0A as UInt8)
        ends.append(UInt32(slab.readableBytes))
    }

    /// The batch so far; the builder is empty afterwards.
    package mutating func finish() -> Batch {
        defer {
            slab = ByteBuffer()
            ends = []
            hasLineFeeds = false
        }
        guard hasLineFeeds else { return Batch(slab: slab, ends: ends, framing: .newline, context: context) }
        return bare()
    }

    // The separators are taken out again: rare, and it keeps the common case at one copy.
    private func bare() -> Batch {
        var bytes = ByteBuffer()
        bytes.reserveCapacity(slab.readableBytes)
        var cut = ContiguousArray<UInt32>()
        cut.reserveCapacity(ends.count)
        var start = 0
        slab.withUnsafeReadableBytes { all in
            for end in ends {
                bytes.writeBytes(UnsafeRawBufferPointer(rebasing: all[start..<(Int(end) - 1)]))
                cut.append(UInt32(bytes.readableBytes))
                start = Int(end)
            }
        }
        return Batch(slab: bytes, ends: cut, framing: .bare, context: context)
    }
}
