internal import NIOCore

/// What a message is: how long, and its properties (class 60).
package struct AMQPContentHeader: Sendable, Hashable {
    package var bodySize: UInt64
    package var properties: AMQPProperties

    package init(bodySize: UInt64, properties: AMQPProperties = AMQPProperties()) {
        self.bodySize = bodySize
        self.properties = properties
    }

    static let basicClass: UInt16 = 60

    static func read(from buffer: inout ByteBuffer) throws(AMQPMistake) -> AMQPContentHeader {
        let classID = try buffer.readAMQPInteger(UInt16.self)
        guard classID == basicClass else {
            throw AMQPMistake(.unexpectedFrame, "content of class \(classID), only basic (60) has content")
        }
        _ = try buffer.readAMQPInteger(UInt16.self)  // weight: unused, some clients leave something in it
        let bodySize = try buffer.readAMQPInteger(UInt64.self)
        return AMQPContentHeader(bodySize: bodySize, properties: try AMQPProperties.read(from: &buffer))
    }

    func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(AMQPContentHeader.basicClass)
        buffer.writeInteger(UInt16(0))
        buffer.writeInteger(bodySize)
        properties.write(to: &buffer)
    }
}

/// Properties of a message; what was not set is not there.
package struct AMQPProperties: Sendable, Hashable {
    package var contentType: String?
    package var contentEncoding: String?
    package var headers: AMQPTable?
    /// 2 is persistent.
    package var deliveryMode: UInt8?
    package var priority: UInt8?
    package var correlationID: String?
    package var replyTo: String?
    package var expiration: String?
    package var messageID: String?
    package var timestamp: UInt64?
    package var type: String?
    package var userID: String?
    package var appID: String?
    package var clusterID: String?

    package init() {}

    /// One bit a property from the highest down; the lowest says that more flags follow, which basic never needs.
    static func read(from buffer: inout ByteBuffer) throws(AMQPMistake) -> AMQPProperties {
        let flags = try buffer.readAMQPInteger(UInt16.self)
        guard flags & 0b11 == 0 else { throw AMQPMistake(.syntaxError, "unknown property flags") }
        func has(_ bit: Int) -> Bool { flags & (0x8000 >> bit) != 0 }
        var properties = AMQPProperties()
        if has(0) { properties.contentType = try buffer.readAMQPShort() }
        if has(1) { properties.contentEncoding = try buffer.readAMQPShort() }
        if has(2) { properties.headers = try AMQPTable.read(from: &buffer) }
        if has(3) { properties.deliveryMode = try buffer.readAMQPInteger(UInt8.self) }
        if has(4) { properties.priority = try buffer.readAMQPInteger(UInt8.self) }
        if has(5) { properties.correlationID = try buffer.readAMQPShort() }
        if has(6) { properties.replyTo = try buffer.readAMQPShort() }
        if has(7) { properties.expiration = try buffer.readAMQPShort() }
        if has(8) { properties.messageID = try buffer.readAMQPShort() }
        if has(9) { properties.timestamp = try buffer.readAMQPInteger(UInt64.self) }
        if has(10) { properties.type = try buffer.readAMQPShort() }
        if has(11) { properties.userID = try buffer.readAMQPShort() }
        if has(12) { properties.appID = try buffer.readAMQPShort() }
        if has(13) { properties.clusterID = try buffer.readAMQPShort() }
        return properties
    }

    func write(to buffer: inout ByteBuffer) {
        let place = buffer.writerIndex
        var flags: UInt16 = 0
        buffer.writeInteger(flags)
        func short(_ bit: Int, _ text: String?) {
            guard let text else { return }
            flags |= 0x8000 >> bit
            buffer.writeAMQPShort(text)
        }
        func number(_ bit: Int, _ number: (some FixedWidthInteger)?) {
            guard let number else { return }
            flags |= 0x8000 >> bit
            buffer.writeInteger(number)
        }
        short(0, contentType)
        short(1, contentEncoding)
        if let headers {
            flags |= 0x8000 >> 2
            headers.write(to: &buffer)
        }
        number(3, deliveryMode)
        number(4, priority)
        short(5, correlationID)
        short(6, replyTo)
        short(7, expiration)
        short(8, messageID)
        number(9, timestamp)
        short(10, type)
        short(11, userID)
        short(12, appID)
        short(13, clusterID)
        buffer.setInteger(flags, at: place)
    }
}
