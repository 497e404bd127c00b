internal import NIOCore
internal import WeirWires

/// Takes a long request apart while it comes in: the variable `bundle` is unescaped and handed on, all the rest is kept
/// as a JSON document with `null` in the bundle's place. That rest is small, but for a connector's state.
///
/// It counts brackets and looks at names; whether the rest is JSON is found out when that document is read. The
/// platform must know whose a bundle is before its first byte. Every version of pycti names the connector first; for
/// clients that sort their names (`bundle`, `connectorId`) up to `earlyMost` bytes are kept until it comes.
struct PushBody {
    enum Piece: Sendable, Equatable {
        case begin(connector: ConnectorID)
        case bytes(ByteBuffer)
        case end
    }

    /// The request without its bundle.
    private(set) var rest = ByteBuffer()
    private(set) var hasBundle = false

    private enum Mode {
        case structure
        /// Any string but the bundle.
        case string(Role, isEscaped: Bool)
        case bundle(JSONUnescaper)
    }

    private enum Role { case name, connector, other }

    /// What may be kept of a bundle whose connector is not known yet.
    static let earlyMost = 4 * 1_024 * 1_024
    /// Bytes of a name or id that are looked at; longer ones are none that are looked for.
    private static let capturedMost = 2 * 1_024

    private let restMost: Int
    private let structureMost: Int
    /// Bytes of `rest` outside of strings.
    private var structureCount = 0
    private var mode = Mode.structure
    private var depth = 0
    private var isInVariables = false
    private var isValue = false
    /// The name or connector id being read, raw.
    private var captured: [UInt8] = []
    private var outerName: [UInt8] = []
    private var innerName: [UInt8] = []
    private var connector: ConnectorID?
    /// A bundle that came before its connector.
    private var early: ByteBuffer?

    /// - Parameters:
    ///   - restMost: bytes that everything but the bundle may have.
    ///   - structureMost: bytes of it outside of strings. Each can become a value of many times its size.
    init(restMost: Int, structureMost: Int) {
        self.restMost = restMost
        self.structureMost = structureMost
    }

    mutating func take(_ buffer: ByteBuffer) throws(GraphProblem) -> [Piece] {
        let result = buffer.withUnsafeReadableBytes { bytes in
            Result { () throws(GraphProblem) -> [Piece] in try take(bytes) }
        }
        return try result.get()
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer) throws(GraphProblem) -> [Piece] {
        var pieces: [Piece] = []
        var index = 0
        while index < bytes.count {
            switch mode {
            case .structure:
                try structure(bytes[index], &pieces)
                index += 1
            case .string(let role, let isEscaped):
                index = string(bytes, index, role, isEscaped)
                if let connector, let bundle = early {
                    early = nil
                    pieces += [.begin(connector: connector), .bytes(bundle), .end]
                }
            case .bundle(var unescaper):
                var content = ByteBuffer()
                content.reserveCapacity(bytes.count - index)
                do throws(JSONUnescaper.Mistake) {
                    index += try unescaper.take(UnsafeRawBufferPointer(rebasing: bytes[index...]), into: &content)
                } catch {
                    throw GraphProblem(.badInput, "The request is not JSON: \(error.message).")
                }
                mode = unescaper.isAtEnd ? .structure : .bundle(unescaper)
                if early != nil {
                    try keep(content)
                } else {
                    if content.readableBytes > 0 { pieces.append(.bytes(content)) }
                    if unescaper.isAtEnd { pieces.append(.end) }
                }
            }
            guard rest.readableBytes <= restMost, structureCount <= structureMost else {
                throw GraphProblem(
                    .tooLarge,
                    "The request without its bundle is longer than \(restMost) bytes, or than \(structureMost) outside "
                        + "of strings. A long bundle must come as the variable `bundle` of stixBundlePush; a state may "
                        + "have \(Registry.stateBytesMost) bytes.")
            }
        }
        return pieces
    }

    private mutating func structure(_ byte: UInt8, _ pieces: inout [Piece]) throws(GraphProblem) {
        switch byte {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            depth += 1
            isValue = false
            if depth == 2 { isInVariables = byte == UInt8(ascii: "{") && outerName == Array("variables".utf8) }
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            if depth == 2 { isInVariables = false }
            depth -= 1
        case UInt8(ascii: ","): isValue = false
        case UInt8(ascii: ":"): isValue = true
        case UInt8(ascii: "\""):
            captured.removeAll(keepingCapacity: true)
            if isValue, depth == 2, isInVariables, innerName == Array("bundle".utf8) {
                return try beginBundle(&pieces)
            }
            let isConnector = isValue && depth == 2 && isInVariables && innerName == Array("connectorId".utf8)
            mode = .string(isConnector ? .connector : isValue || depth > 2 ? .other : .name, isEscaped: false)
        default: break
        }
        rest.writeInteger(byte)
        structureCount += 1
    }

    private mutating func beginBundle(_ pieces: inout [Piece]) throws(GraphProblem) {
        guard !hasBundle else { throw GraphProblem(.badInput, "The variable `bundle` was given twice.") }
        hasBundle = true
        rest.writeStaticString("null")
        mode = .bundle(JSONUnescaper())
        if let connector { pieces.append(.begin(connector: connector)) } else { early = ByteBuffer() }
    }

    private mutating func keep(_ content: ByteBuffer) throws(GraphProblem) {
        early?.writeImmutableBuffer(content)
        guard (early?.readableBytes ?? 0) <= PushBody.earlyMost else {
            throw GraphProblem(
                .tooLarge, "In a request this long the variable `connectorId` must come before `bundle`.")
        }
    }

    /// Copies up to the closing quote or the end.
    private mutating func string(
        _ bytes: UnsafeRawBufferPointer, _ start: Int, _ role: Role, _ isEscaped: Bool
    ) -> Int {
        var isEscaped = isEscaped
        var index = start
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                copy(bytes, start, index, role)
                end(role)
                mode = .structure
                return index
            }
        }
        copy(bytes, start, index, role)
        mode = .string(role, isEscaped: isEscaped)
        return index
    }

    private mutating func copy(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int, _ role: Role) {
        let run = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        rest.writeBytes(run)
        if role != .other { captured.append(contentsOf: run.prefix(PushBody.capturedMost - captured.count)) }
    }

    private mutating func end(_ role: Role) {
        switch role {
        case .other: return
        case .name:
            if depth == 1 { outerName = captured.dropLast() } else { innerName = captured.dropLast() }
        case .connector:
            var unescaper = JSONUnescaper()
            var content = ByteBuffer()
            _ = captured.withUnsafeBytes { try? unescaper.take($0, into: &content) }
            connector = unescaper.isAtEnd ? String(buffer: content) : nil
        }
    }
}
