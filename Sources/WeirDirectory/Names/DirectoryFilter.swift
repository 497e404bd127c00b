/// Search filters (RFC 4515), built from parts so that no value is ever read as a filter.
package struct DirectoryFilter: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    /// A filter as an operator wrote it; nothing that came from outside belongs in it.
    package init(written text: String) { self.text = text }

    package var description: String { text }

    package static let everything = DirectoryFilter(written: "(objectClass=*)")

    /// An attribute name that is none matches nothing.
    package static func equal(_ attribute: String, _ value: String) -> DirectoryFilter {
        equal(attribute, Array(value.utf8))
    }

    package static func equal(_ attribute: String, _ value: [UInt8]) -> DirectoryFilter {
        guard isAttribute(attribute) else { return DirectoryFilter(written: "(!(objectClass=*))") }
        return DirectoryFilter(written: "(\(attribute)=\(escaped(value)))")
    }

    package static func atLeast(_ attribute: String, _ value: String) -> DirectoryFilter {
        guard isAttribute(attribute) else { return DirectoryFilter(written: "(!(objectClass=*))") }
        return DirectoryFilter(written: "(\(attribute)>=\(escaped(Array(value.utf8))))")
    }

    package static func all(_ filters: [DirectoryFilter]) -> DirectoryFilter {
        filters.count == 1 ? filters[0] : DirectoryFilter(written: "(&\(filters.map(\.text).joined()))")
    }

    package static func any(_ filters: [DirectoryFilter]) -> DirectoryFilter {
        filters.count == 1 ? filters[0] : DirectoryFilter(written: "(|\(filters.map(\.text).joined()))")
    }

    /// What RFC 4515 wants escaped, and every byte that is not plain ASCII.
    package static func escaped(_ value: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(value.count)
        for byte in value {
            switch byte {
            case 0..<0x20, 0x7F..., UInt8(ascii: "*"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "\\"):
                text += NameText.hexadecimal(byte)
            default: text.append(byte)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// A type, or a number, with options (`member;range=0-1499` is a request, not a filter, and has `=`: not allowed).
    package static func isAttribute(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.allSatisfy { NameText.isTypeByte($0) || $0 == UInt8(ascii: ";") }
    }
}
