package import NIOCore

extension AMQPFrame {
    /// Takes the next whole frame from the front of `buffer`; `nil` when more bytes are needed.
    ///
    /// A frame that is too long is refused by its header, so a peer can never make us gather more than `sizeMost`.
    /// - Parameter sizeMost: the negotiated frame size, with the overhead.
    package static func read(from buffer: inout ByteBuffer, sizeMost: Int) throws(AMQPMistake) -> AMQPFrame? {
        guard let type = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) else { return nil }
        guard let kind = Kind(rawValue: type) else {
            throw AMQPMistake(.frameError, "unknown frame type \(type)")
        }
        guard let channel = buffer.getInteger(at: buffer.readerIndex + 1, as: UInt16.self),
            let length = buffer.getInteger(at: buffer.readerIndex + 3, as: UInt32.self)
        else { return nil }
        guard Int(length) + overhead <= sizeMost else {
            throw AMQPMistake(.frameError, "frame of \(length) bytes, at most \(sizeMost - overhead) were agreed on")
        }
        guard buffer.readableBytes >= Int(length) + overhead else { return nil }
        buffer.moveReaderIndex(forwardBy: 7)
        guard var content = buffer.readSlice(length: Int(length)), buffer.readInteger(as: UInt8.self) == end else {
            throw AMQPMistake(.frameError, "a frame does not end with 0xCE")
        }
        switch kind {
        case .heartbeat:
            guard channel == 0, length == 0 else { throw AMQPMistake(.frameError, "a heartbeat carries something") }
            return .heartbeat
        case .body: return .body(channel: channel, content)
        case .method:
            let method = try AMQPMethod.read(from: &content)
            try rest(content, "a method")
            return .method(channel: channel, method)
        case .header:
            let header = try AMQPContentHeader.read(from: &content)
            try rest(content, "a content header")
            return .header(channel: channel, header)
        }
    }

    private static func rest(_ content: ByteBuffer, _ what: String) throws(AMQPMistake) {
        guard content.readableBytes == 0 else {
            throw AMQPMistake(.syntaxError, "\(content.readableBytes) bytes stand behind the end of \(what)")
        }
    }

    package func write(to buffer: inout ByteBuffer) {
        let (kind, channel): (Kind, UInt16) =
            switch self {
            case .method(let channel, _): (.method, channel)
            case .header(let channel, _): (.header, channel)
            case .body(let channel, _): (.body, channel)
            case .heartbeat: (.heartbeat, 0)
            }
        buffer.writeInteger(kind.rawValue)
        buffer.writeInteger(channel)
        let place = buffer.writerIndex
        buffer.writeInteger(UInt32(0))
        switch self {
        case .method(_, let method): method.write(to: &buffer)
        case .header(_, let header): header.write(to: &buffer)
        case .body(_, let bytes): buffer.writeImmutableBuffer(bytes)
        case .heartbeat: break
        }
        buffer.setInteger(UInt32(clamping: buffer.writerIndex - place - 4), at: place)
        buffer.writeInteger(AMQPFrame.end)
    }
}

// MARK: Elementary values

extension ByteBuffer {
    mutating func readAMQPInteger<Number: FixedWidthInteger>(_ type: Number.Type) throws(AMQPMistake) -> Number {
        guard let number = readInteger(as: type) else { throw AMQPMistake.short }
        return number
    }

    /// At most 255 bytes.
    mutating func readAMQPShort() throws(AMQPMistake) -> String {
        let length = try readAMQPInteger(UInt8.self)
        guard let bytes = readSlice(length: Int(length)) else { throw AMQPMistake.short }
        guard let text = bytes.withUnsafeReadableBytes({ String(validating: $0, as: UTF8.self) }) else {
            throw AMQPMistake(.syntaxError, "a short string is not UTF-8")
        }
        return text
    }

    mutating func readAMQPLong() throws(AMQPMistake) -> ByteBuffer {
        let length = try readAMQPInteger(UInt32.self)
        guard let bytes = readSlice(length: Int(length)) else { throw AMQPMistake.short }
        return bytes
    }

    /// Cut at 255 bytes, between characters.
    mutating func writeAMQPShort(_ text: String) {
        var text = text[...]
        while text.utf8.count > 255 { text.removeLast() }
        writeInteger(UInt8(text.utf8.count))
        writeSubstring(text)
    }

    mutating func writeAMQPLong(_ bytes: ByteBuffer) {
        writeInteger(UInt32(clamping: bytes.readableBytes))
        writeImmutableBuffer(bytes)
    }
}

extension AMQPMistake {
    static let short = AMQPMistake(.syntaxError, "a frame ends within a value")
}
