"""What a column, a key or a label of a dump holds, by its name in the languages that dumps are written in."""

import re
import unicodedata
from typing import Literal

Holds = Literal["mail", "phone", "name", "secret", "url", "other", ""]
ACCOUNTS: tuple[Holds, ...] = ("mail", "phone", "name")
LONGEST_LABEL = 96  # octets

_LONGEST = 64  # characters of a name
_PARTS = re.compile(r"[()/]")  # as Email/Phone, Mật khẩu (password)
_LABEL = re.compile(  # a colon behind it, of either width
    rb"[ \t]*([A-Za-z\x80-\xff][A-Za-z\x80-\xff ()/_-]{1,%d}?)[ \t]*(?::|\xef\xbc\x9a)[ \t]?" % (LONGEST_LABEL - 1)
)
_NAMES: dict[Holds, str] = {
    "mail": """email mail emailaddress mailaddress emailid useremail customeremail mailid gmail
        thudientu thu hopthu homthu diachiemail diachithu diachithudientu diachimail emailkhachhang emailcanhan
        emaillienhe emailnguoidung correo correoelectronico courriel adressemail adresseemail emailadresse epost
        почта электроннаяпочта элпочта 邮箱 电子邮件 電子郵件 メール メールアドレス 이메일 อีเมล""",
    "phone": """phone phonenumber phoneno mobile mobilephone mobilenumber mobileno tel telephone telephonenumber cell
        cellphone msisdn customerphone userphone contactnumber sdt sodt dt dtdd sodtdd sdtkhachhang sodienthoai
        sodienthoaididong sodienthoaikhachhang dienthoai dienthoaididong dienthoaikhachhang dienthoailienhe didong
        sodidong telefono telefon telefone celular numerodetelephone телефон номертелефона 手机 手机号 手机号码
        电话 電話番号 전화번호 휴대폰""",
    "name": """username user userid login loginid account accountname userlogin loginname nick nickname logon
        taikhoan tk tendangnhap tentaikhoan tentruycap tennguoidung nguoidung dangnhap usuario nombredeusuario
        utilisateur nomdutilisateur identifiant benutzer benutzername логин пользователь имяпользователя
        用户 用户名 账号 帐号 账户 ユーザー名 ユーザー 사용자 아이디 kullaniciadi pengguna namapengguna ชื่อผู้ใช้""",
    "secret": """password pass passwd pwd passw userpassword userpass passwordplain plainpassword plaintext
        passphrase matkhau matkhaudangnhap mk matma mkhau contrasena clave motdepasse mdp passwort kennwort senha
        parola sifre пароль 密码 密碼 口令 パスワード 비밀번호 katasandi sandi รหัสผ่าน""",
    "url": """url uri host hostname link site website domain originurl signonrealm diachi diachiweb trangweb trang
        tenmien duongdan lienket сайт адрес ссылка хост 网址 网站 サイト""",
    "other": """soft software app application browser storage profile ungdung trinhduyet phanmem hoso bang приложение
        браузер программа профиль 浏览器 应用 软件""",
}


def plain(name: str) -> str:
    """A name without case, blanks and marks."""
    letters = unicodedata.normalize("NFD", name.lower().replace("đ", "d").replace("ı", "i"))
    return unicodedata.normalize("NFC", "".join(each for each in letters if each.isalnum()))


_KINDS: dict[str, Holds] = {plain(name): kind for kind, names in _NAMES.items() for name in names.split()}


def holds(name: str) -> Holds:
    """What stands under a name: "other" is known, too, and none of ours; "" is not known."""
    parts = [name, *_PARTS.split(name)] if len(name) <= _LONGEST else []
    for part in map(plain, parts):
        if part in _KINDS:
            return _KINDS[part]
    return ""


def labelled(line: bytes) -> tuple[Holds, bytes] | None:
    """What the label that a line begins with holds, and what stands behind it; None where it begins with no label."""
    met = _LABEL.match(line)
    return (holds(met[1].decode(errors="replace")), line[met.end() :]) if met else None
