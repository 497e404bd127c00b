package import NIOCore

/// AMQP 0-9-1 on the wire (specification of 13 November 2008, chapter 4): frames of a type, a channel, a length and
/// content, each closed by one fixed byte. Numbers are big-endian.
package enum AMQPFrame: Sendable, Hashable {
    case method(channel: UInt16, AMQPMethod)
    /// What a message is, after the method that carries it.
    case header(channel: UInt16, AMQPContentHeader)
    /// A part of a message.
    case body(channel: UInt16, ByteBuffer)
    case heartbeat

    /// What a client sends first: `AMQP`, 0, and the version.
    package static let protocolHeader: [UInt8] = Array("AMQP".utf8) + [0, 0, 9, 1]
    /// Type, channel, length and the closing byte: what a frame has besides its content.
    package static let overhead = 8
    /// Every peer takes frames of this size (section 4.2.3).
    package static let sizeLeast = 4_096
    static let end: UInt8 = 0xCE

    enum Kind: UInt8 {
        case method = 1
        case header = 2
        case body = 3
        case heartbeat = 8
    }
}

/// What is wrong with bytes from a peer. Each ends the connection with its code.
package struct AMQPMistake: Error, Sendable, Hashable {
    package var code: AMQPCode
    package var message: String

    package init(_ code: AMQPCode, _ message: String) {
        self.code = code
        self.message = message
    }
}

/// Reply codes (section 1.2 of the generated specification).
package enum AMQPCode: UInt16, Sendable, Hashable {
    case success = 200
    case contentTooLarge = 311
    case noRoute = 312
    case connectionForced = 320
    case invalidPath = 402
    case accessRefused = 403
    case notFound = 404
    case preconditionFailed = 406
    case frameError = 501
    case syntaxError = 502
    case commandInvalid = 503
    case channelError = 504
    case unexpectedFrame = 505
    case resourceError = 506
    case notAllowed = 530
    case notImplemented = 540
    case internalError = 541

    /// As brokers write it at the beginning of a reply text.
    package var name: String {
        switch self {
        case .success: "OK"
        case .contentTooLarge: "CONTENT_TOO_LARGE"
        case .noRoute: "NO_ROUTE"
        case .connectionForced: "CONNECTION_FORCED"
        case .invalidPath: "INVALID_PATH"
        case .accessRefused: "ACCESS_REFUSED"
        case .notFound: "NOT_FOUND"
        case .preconditionFailed: "PRECONDITION_FAILED"
        case .frameError: "FRAME_ERROR"
        case .syntaxError: "SYNTAX_ERROR"
        case .commandInvalid: "COMMAND_INVALID"
        case .channelError: "CHANNEL_ERROR"
        case .unexpectedFrame: "UNEXPECTED_FRAME"
        case .resourceError: "RESOURCE_ERROR"
        case .notAllowed: "NOT_ALLOWED"
        case .notImplemented: "NOT_IMPLEMENTED"
        case .internalError: "INTERNAL_ERROR"
        }
    }
}
