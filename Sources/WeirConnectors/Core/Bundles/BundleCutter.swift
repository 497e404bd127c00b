import NIOCore
import WeirWires

/// Cuts a STIX bundle into its objects while its bytes come: one line for each object, its bytes as they are but for
/// line ends between its parts. A bundle among the objects is cut too. Order stays.
///
/// It keeps what is cut until it is taken, and the beginning of an object whose end has not come yet.
struct BundleCutter: ObjectCutter {
    /// The objects so far, each with a line feed.
    private(set) var lines = ByteBuffer()
    /// Objects so far, taken or not.
    private(set) var count = 0

    private let objectBytesMost: Int
    /// False: objects are counted and checked, not kept.
    private let keeps: Bool
    private let nesting: Int
    private var scanner = JSONScanner()
    /// Of the object that is being read: what came with earlier pieces.
    private var carried = ByteBuffer()
    private var isInObjects = false
    private var isInObject = false
    private var isBundle = false
    private var member = ShortText()
    private var word = ShortText()
    private var isNestedBundle = false
    private var collects = Collecting.nothing

    private enum Collecting { case nothing, key, type }

    static let nestingMost = 8
    static let objectBytesMost = 16 << 20

    init(keeps: Bool = true, objectBytesMost: Int = BundleCutter.objectBytesMost, nesting: Int = 0) {
        self.keeps = keeps
        self.objectBytesMost = objectBytesMost
        self.nesting = nesting
    }

    mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(BundleMistake) {
        var index = 0
        var start = 0
        var from = 0
        while let token = try scanner.next(bytes, &index, of: "bundle") {
            if token == .objectStart, isInObjects, scanner.depth == 3 {
                isInObject = true
                isNestedBundle = false
                start = index - 1
                carried.clear()
            } else if token == .objectEnd, isInObject, scanner.depth == 2 {
                isInObject = false
                try took(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
            } else {
                try look(token, UnsafeRawBufferPointer(rebasing: bytes[from..<index]))
            }
            from = index
        }
        if isInObject {
            if carried.readableBytes + bytes.count - start > objectBytesMost { throw .tooLarge(objectBytesMost) }
            carried.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start...]))
        }
    }

    /// The bundle is over.
    mutating func finish() throws(BundleMistake) {
        try scanner.finish("bundle")
        guard isBundle else { throw BundleMistake("not_a_bundle", "The content is JSON, but no STIX bundle.") }
        guard count > 0 else { throw BundleMistake("no_objects", "The bundle has no objects.") }
    }

    mutating func takeLines() -> ByteBuffer {
        defer { lines = ByteBuffer() }
        return lines
    }

    /// Members of the bundle and the type of an object; all else is only passed over.
    private mutating func look(_ token: JSONScanner.Token, _ text: UnsafeRawBufferPointer) throws(BundleMistake) {
        let depth = scanner.depth
        switch token {
        case .text:
            switch collects {
            case .nothing: break
            case .key: member.append(text)
            case .type: word.append(text)
            }
        case .keyStart where depth == 1 || (isInObject && depth == 3):
            member = ShortText()
            collects = .key
        case .keyEnd: collects = .nothing
        case .stringStart where (depth == 1 || (isInObject && depth == 3)) && member.isEqual("type"):
            word = ShortText()
            collects = .type
        case .stringEnd where collects == .type:
            collects = .nothing
            if depth == 1 { isBundle = word.isEqual("bundle") } else { isNestedBundle = word.isEqual("bundle") }
            member = ShortText()
        case .arrayStart where depth == 2 && !isInObject && member.isEqual("objects"): isInObjects = true
        case .arrayEnd where depth == 1 && isInObjects:
            isInObjects = false
            member = ShortText()
        case .objectStart, .stringStart, .scalarStart, .arrayStart: try check(token, depth)
        default: break
        }
    }

    private mutating func check(_ token: JSONScanner.Token, _ depth: Int) throws(BundleMistake) {
        if scanner.depth == 1, token == .objectStart { return }
        if !isInObject, isInObjects, depth == (token == .arrayStart ? 3 : 2) {
            throw BundleMistake("not_a_bundle", "The bundle has something among its objects that is no object.")
        }
        if depth == (token == .objectStart || token == .arrayStart ? 2 : 1), !isInObjects, member.isEqual("objects") {
            throw BundleMistake("not_a_bundle", "The bundle's objects are no list.")
        }
        // A member's value of another kind: its key is used up.
        if token == .scalarStart || token == .stringStart, depth == 1 || (isInObject && depth == 3) {
            member = ShortText()
        }
    }

    private mutating func took(_ rest: UnsafeRawBufferPointer) throws(BundleMistake) {
        if carried.readableBytes + rest.count > objectBytesMost { throw .tooLarge(objectBytesMost) }
        if carried.readableBytes == 0 { return try keep(rest) }
        carried.writeBytes(rest)
        let whole = carried
        carried = ByteBuffer()
        try whole.withUnsafeReadableBytes { bytes throws(BundleMistake) in try keep(bytes) }
    }

    private mutating func keep(_ object: UnsafeRawBufferPointer) throws(BundleMistake) {
        if isNestedBundle {
            guard nesting < Self.nestingMost else {
                throw BundleMistake("nested_too_deep", "Bundles are nested over \(Self.nestingMost) deep.")
            }
            var inner = BundleCutter(keeps: keeps, objectBytesMost: objectBytesMost, nesting: nesting + 1)
            try inner.feed(object)
            try inner.finish()
            count += inner.count
            if keeps { lines.writeImmutableBuffer(inner.lines) }
            return
        }
        count += 1
        guard keeps else { return }
        JSONSplitter.writeOnOneLine(object, to: &lines)
        lines.writeInteger(0x0A as UInt8)
    }
}

/// The first bytes of a name: as many as the words that matter have.
struct ShortText {
    private var bytes: (UInt64, UInt64) = (0, 0)
    private var count = 0

    mutating func append(_ text: UnsafeRawBufferPointer) {
        for byte in text.prefix(17) where count <= 16 {
            if count < 8 { bytes.0 |= UInt64(byte) << (count * 8) }
            if (8..<16).contains(count) { bytes.1 |= UInt64(byte) << ((count - 8) * 8) }
            count += 1
        }
    }

    func isEqual(_ word: StaticString) -> Bool {
        guard count == word.utf8CodeUnitCount, count <= 16 else { return false }
        var other = ShortText()
        other.append(UnsafeRawBufferPointer(start: word.utf8Start, count: count))
        return other.bytes == bytes
    }
}
