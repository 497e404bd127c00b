import CWeirRegex

/// A compiled regular expression (RE2 syntax): the time to search is linear in the text, whatever the pattern.
final class Pattern: @unchecked Sendable {
    // RE2 objects are immutable after construction and documented as safe for use from several threads.
    let handle: OpaquePointer

    /// Nil when the pattern is none, or would need more than 8 MiB of memory.
    init?(_ source: String) {
        var source = source
        let made = source.withUTF8 { bytes in
            weir_regex_make(UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        guard let made else { return nil }
        handle = made
    }

    deinit { weir_regex_free(handle) }

    func isFound(in text: String) -> Bool {
        Text.withBytes(text) { isFound(in: UnsafeRawBufferPointer($0)) }
    }

    func isFound(in bytes: UnsafeRawBufferPointer) -> Bool {
        weir_regex_found(handle, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count) != 0
    }

    /// What is wrong with the pattern; nil when it is fine.
    static func problem(with source: String) -> String? {
        var source = source
        return source.withUTF8 { bytes -> String? in
            var message = [CChar](repeating: 0, count: 256)
            let start = UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self)
            guard weir_regex_problem(start, bytes.count, &message, message.count) != 0 else { return nil }
            return String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}
