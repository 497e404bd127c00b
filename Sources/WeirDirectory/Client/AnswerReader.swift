import CLdap

/// Takes libldap's messages apart. All pointers are read before the message is freed, and nothing in a message can
/// do more harm than be left out.
struct AnswerReader {
    let handle: OpaquePointer

    /// Adds an entry to the page. Values are pointed at within the message, not copied one by one by libldap.
    func readEntry(_ message: OpaquePointer, into page: inout EntryPage) {
        var ber: OpaquePointer?
        var name = berval()
        guard ldap_get_dn_ber(handle, message, &ber, &name) == LDAP_SUCCESS else {
            if let ber { ber_free(ber, 0) }
            return
        }
        page.beginEntry(name.raw)
        while true {
            var attribute = berval()
            var values: UnsafeMutablePointer<berval>?
            guard ldap_get_attribute_ber(handle, message, ber, &attribute, &values) == LDAP_SUCCESS,
                attribute.bv_val != nil
            else { break }
            page.beginAttribute(attribute.raw)
            if let values {
                var place = 0
                while values[place].bv_val != nil {
                    page.addValue(values[place].raw)
                    place += 1
                }
                ber_memfree(values)
            }
        }
        if let ber { ber_free(ber, 0) }
    }

    /// The end of an operation.
    func readResult(_ message: OpaquePointer) -> DirectoryAnswer? {
        var code: Int32 = 0
        var matched: UnsafeMutablePointer<CChar>?
        var words: UnsafeMutablePointer<CChar>?
        var referrals: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        var controls: UnsafeMutablePointer<UnsafeMutablePointer<LDAPControl>?>?
        guard ldap_parse_result(handle, message, &code, &matched, &words, &referrals, &controls, 0) == LDAP_SUCCESS
        else { return nil }
        defer {
            if let matched { ldap_memfree(matched) }
            if let words { ldap_memfree(words) }
            if let controls { ldap_controls_free(controls) }
        }
        var answer = DirectoryAnswer(code: ResultCode(code))
        answer.diagnostic = words.map { Self.sentence($0) } ?? ""
        answer.matched = matched.map { String(cString: $0) } ?? ""
        answer.referrals = Self.take(referrals)
        var next = controls
        while let control = next?.pointee?.pointee {
            let value = Array(control.ldctl_value.raw)
            switch String(cString: control.ldctl_oid) {
            case DirectoryControl.pagedNumber: answer.cookie = Self.cookie(value)
            case DirectoryControl.postReadNumber: answer.after = Self.entry(value)
            default: break
            }
            next = next?.advanced(by: 1)
        }
        return answer
    }

    /// Where a search was told to go on; the servers it names.
    func readReference(_ message: OpaquePointer) -> [String] {
        var referrals: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        guard ldap_parse_reference(handle, message, &referrals, nil, 0) == LDAP_SUCCESS else { return [] }
        return Self.take(referrals)
    }

    /// AD ends its words with a NUL of its own and a line break.
    private static func sentence(_ words: UnsafeMutablePointer<CChar>) -> String {
        var text = Substring(String(cString: words))
        while let last = text.last, last.isWhitespace || last == "\0" { text.removeLast() }
        return String(text)
    }

    private static func take(_ list: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> [String] {
        guard let list else { return [] }
        var texts: [String] = []
        while let text = list[texts.count] { texts.append(String(cString: text)) }
        for place in texts.indices { ldap_memfree(list[place]) }
        ldap_memfree(list)
        return texts
    }

    /// RFC 2696: SEQUENCE { size INTEGER, cookie OCTET STRING }. Empty: there is no next page.
    private static func cookie(_ value: [UInt8]) -> [UInt8]? {
        var outer = BER.Reader(value[...])
        guard let sequence = outer.next(), sequence.tag == 0x30 else { return nil }
        var inner = BER.Reader(sequence.content)
        guard inner.next()?.tag == 0x02, let cookie = inner.next(), cookie.tag == 0x04, !cookie.content.isEmpty
        else { return nil }
        return Array(cookie.content)
    }

    /// RFC 4527: the value is a SearchResultEntry.
    private static func entry(_ value: [UInt8]) -> EntryPage.Entry? {
        var page = EntryPage()
        var outer = BER.Reader(value[...])
        guard let whole = outer.next(), whole.tag == 0x64 || whole.tag == 0x30 else { return nil }
        var parts = BER.Reader(whole.content)
        guard let name = parts.next(), name.tag == 0x04, let list = parts.next(), list.tag == 0x30 else { return nil }
        name.content.withUnsafeBytes { page.beginEntry($0) }
        var attributes = BER.Reader(list.content)
        while let attribute = attributes.next() {
            var fields = BER.Reader(attribute.content)
            guard let type = fields.next(), let set = fields.next() else { return nil }
            type.content.withUnsafeBytes { page.beginAttribute($0) }
            var values = BER.Reader(set.content)
            while let one = values.next() { one.content.withUnsafeBytes { page.addValue($0) } }
        }
        return page.first
    }
}

extension berval {
    var raw: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: bv_val, count: bv_val == nil ? 0 : Int(bv_len)) }
}
